"""The Step Functions state machines."""
