"""Floor 1: what each provider needs said to it, behind one shape."""
