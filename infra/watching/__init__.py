"""What an operator sees of a stage: alarms, the dashboard, and saved queries of the logs."""
