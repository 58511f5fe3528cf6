"""What an operator asks of a stage, with credentials of their own."""
