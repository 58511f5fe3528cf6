"""Signs a demo user in at a provider, as the application that calls Freshet does it."""
