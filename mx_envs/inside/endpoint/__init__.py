"""An OpenAI-compatible endpoint whose every completion is one executor's step. Standard library only, Python 3.9 or newer.

The same code serves programs inside the sandbox, over the frame channel, and programs on the host (``mx serve``). It knows
nothing of policies: a :class:`~endpoint.desk.Desk` takes calls in, and whoever holds its other end answers them.
"""
