"""The names of the topics (ARCHITECTURE.md, section 1), behind one prefix."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Names:
    """Every topic's name, with `prefix` (a setting) before it."""

    prefix: str = ""

    @property
    def billing(self) -> str:
        return self.prefix + "billing.events"

    @property
    def jobs(self) -> str:
        return self.prefix + "jobs.events"

    @property
    def portal(self) -> str:
        return self.prefix + "portal.events"

    @property
    def facts(self) -> tuple[str, str, str]:
        """The topics owned by upstream, from which facts are read."""
        return self.billing, self.jobs, self.portal

    @property
    def ticks(self) -> str:
        return self.prefix + "whimbrel.ticks"

    @property
    def config(self) -> str:
        return self.prefix + "whimbrel.config"

    @property
    def outbox(self) -> str:
        return self.prefix + "whimbrel.outbox"

    @property
    def returns(self) -> str:
        return self.prefix + "whimbrel.returns"

    @property
    def replays(self) -> str:
        """Copies of dead-lettered facts, to be processed again."""
        return self.prefix + "whimbrel.replays"

    @property
    def decisions(self) -> str:
        return self.prefix + "whimbrel.decisions"

    @property
    def deliveries(self) -> str:
        return self.prefix + "whimbrel.deliveries"

    @property
    def dead_letters(self) -> str:
        return self.prefix + "whimbrel.dead-letters"

    @property
    def book_journal(self) -> str:
        """The changelog of the triggers app's table `book`."""
        return self.prefix + "whimbrel-triggers-book-changelog"

    @property
    def attempts_journal(self) -> str:
        """The changelog of the sender app's table `attempts`."""
        return self.prefix + "whimbrel-sender-attempts-changelog"
