"""The composition root: the one place that builds adapters and wires them together."""

from app import clock
from app.contract.instants import SECOND
from app.delivery.pump import Ports
from app.delivery.relay import Relay
from app.delivery.render import Renderer
from app.delivery.sender import Sender
from app.engine.decider import Decider
from app.engine.guard import Allowance, Guarding
from app.engine.pace import CatchUp
from app.settings import Settings
from app.streams.config_reader import ConfigReader
from app.streams.names import Names
from app.streams.opening import Wiring
from app.streams.tripping import TripTeller
from app.triggers import REGISTRY


def triggers(settings: Settings) -> Wiring:
    """Wire the app that turns facts and ticks into decisions: table `book`."""
    names = Names(settings.prefix)
    external = settings.ticks == "external"
    reader = ConfigReader(names.config)
    teller = None if external else TripTeller(settings.kafka, names.config)
    guarding = None if teller is None else Guarding(Allowance(settings.guard_max_per_hour), teller.tell)
    catch_up = CatchUp(names.outbox, settings.catch_up_per_second)
    return Wiring(
        app=f"{settings.prefix}whimbrel-triggers",
        handler=lambda _: Decider(names, lambda: reader.rulebook, guarding, settings.dead_letters_per_hour),
        inputs=names.facts,
        # In a played history every notification is fresh, and what is to be replayed belongs into the history.
        unticked=() if external else (names.returns, names.replays),
        journal=names.book_journal,
        ticks=names.ticks,
        external=external,
        config=reader,
        catch_up=catch_up,
        sized=(catch_up.among, *(() if guarding is None else (guarding.among,))),
        beside=None if teller is None else teller.run,
    )


def sender(settings: Settings) -> Wiring:
    """Wire the app that hands notifications over to the SMTP relay: table `attempts`."""
    names = Names(settings.prefix)
    relay = Relay(settings)
    ports = Ports(
        relay=relay,
        renderer=Renderer(settings.templates),
        variables={id_: trigger.variables for id_, trigger in REGISTRY.items()},
        delivery=settings.delivery,
        deliveries=names.deliveries,
        returns=names.returns,
        dead_letters=names.dead_letters,
        dead_letters_per_hour=settings.dead_letters_per_hour,
        freshness=round(settings.freshness_seconds * SECOND),
        first_retry=round(settings.retry_seconds * SECOND),
        now=clock.now,
    )
    return Wiring(
        app=f"{settings.prefix}whimbrel-sender",
        handler=lambda _: Sender(ports),
        inputs=(names.outbox,),
        journal=names.attempts_journal,
        outcomes=names.deliveries,
        close=relay.close,
    )
