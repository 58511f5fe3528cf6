"""The local AWS: MiniStack, pinned, with the behaviours of AWS that it lacks.

``python -m infra.local.emulator --port 4566``, with the interpreter of the emulator's
own virtual environment. Nothing here runs inside the system under test, and nothing
but this package imports MiniStack.
"""
