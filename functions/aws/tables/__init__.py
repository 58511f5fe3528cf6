"""The DynamoDB tables: one module for each kind of item."""
