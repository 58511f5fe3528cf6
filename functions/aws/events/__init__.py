"""What of events is kept in AWS."""
