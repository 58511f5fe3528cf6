"""Signs demo users in: at a provider alone, or through a page as a browser does."""
