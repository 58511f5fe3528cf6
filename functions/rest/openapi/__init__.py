"""The OpenAPI 3.1 document: a function of the routes."""
