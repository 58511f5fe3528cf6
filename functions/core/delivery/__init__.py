"""Webhooks to applications: their endpoints, and the deliveries of events to them."""
