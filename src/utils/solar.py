from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from importlib import import_module
from typing import Any

# Imported dynamically, because celery-types contains an empty stub of it.
ephem: Any = import_module("ephem")

SEARCHED_DAYS = 366


class SolarEvent(StrEnum):
    """Events of the sun; civil, nautical and astronomical dawn and dusk are 6, 12 and 18 degrees below the horizon."""

    DAWN_ASTRONOMICAL = "dawn_astronomical"
    DAWN_NAUTICAL = "dawn_nautical"
    DAWN_CIVIL = "dawn_civil"
    SUNRISE = "sunrise"
    SOLAR_NOON = "solar_noon"
    SUNSET = "sunset"
    DUSK_CIVIL = "dusk_civil"
    DUSK_NAUTICAL = "dusk_nautical"
    DUSK_ASTRONOMICAL = "dusk_astronomical"


# At sunrise and sunset the upper edge is at the horizon; refraction raises it by 34 arc minutes.
_HORIZONS = {"sunrise": "-0:34", "sunset": "-0:34", "civil": "-6", "nautical": "-12", "astronomical": "-18"}


@dataclass(frozen=True, slots=True)
class Solar:
    """A solar event at a location, in degrees north and east."""

    event: SolarEvent
    latitude: float
    longitude: float

    def next_run(self, after: datetime) -> datetime | None:
        """The first event after an aware time, in UTC, skipping polar days and nights; None if a year has none."""
        observer = ephem.Observer()
        observer.lat, observer.lon = str(self.latitude), str(self.longitude)
        observer.pressure = 0
        observer.date = after.astimezone(UTC).replace(tzinfo=None)
        name = self.event.rpartition("_")[2]
        if name == "noon":
            return _aware(observer.next_transit(ephem.Sun()))
        observer.horizon = _HORIZONS[name]
        rises = self.event.startswith("dawn") or name == "sunrise"
        find = observer.next_rising if rises else observer.next_setting
        for _ in range(SEARCHED_DAYS):
            try:
                return _aware(find(ephem.Sun(), use_center=name not in ("sunrise", "sunset")))
            except ephem.CircumpolarError:
                observer.date = observer.next_antitransit(ephem.Sun())
        return None


def _aware(date: Any) -> datetime:
    naive: datetime = date.datetime()
    return naive.replace(tzinfo=UTC)
