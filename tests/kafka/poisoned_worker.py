"""A worker with a mistake in a trigger: `python -m tests.kafka.poisoned_worker TRIGGER PART ACCOUNT triggers`."""

import sys

from app.cli.main import main
from tests.poison import raising

if __name__ == "__main__":
    trigger, part, account, app = sys.argv[1:]
    namespace, name, mistaken = raising(trigger, part, account)
    namespace[name] = mistaken
    sys.argv = ["whimbrel", "worker", app]
    main()
