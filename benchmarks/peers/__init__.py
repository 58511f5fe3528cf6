"""The same work done by others: a bare client, a script, Airbyte's CDK, dlt."""
