"""The calls of the API, by subject: models, handlers, and what the document tells of them."""
