"""What is sent to applications: signing, and the only calls to addresses that they have chosen."""
