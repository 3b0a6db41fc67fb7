"""What this process closes at its end, the last opened first.

A server that is ended by a signal runs nothing at its exit, so the dashboard closes this when it stops serving.
"""

import atexit
from contextlib import ExitStack

opened = ExitStack()
atexit.register(opened.close)
