import pytest

from src.core.resources import Resources
from src.core.stores.redis_script import RedisScript

SCRIPT = RedisScript("return {first, second, low, high, ARGV[3] or 'none'}", keys="first second", args="low high")


async def test_a_script_gets_its_values_by_name(resources: Resources) -> None:
    values = await SCRIPT.run(resources.redis, high="2", second="{a}2", low="1", first="{a}1")
    assert values == ["{a}1", "{a}2", "1", "2", "none"]


async def test_further_arguments_follow_the_named_ones(resources: Resources) -> None:
    values = await SCRIPT.run(resources.redis, "3", first="{a}1", second="{a}2", low="1", high="2")
    assert values[-1] == "3"


@pytest.mark.parametrize("names", [("first", "second", "low"), ("first", "second", "low", "hihg")])
async def test_a_missing_or_unknown_name_is_an_error(resources: Resources, names: tuple[str, ...]) -> None:
    with pytest.raises(TypeError, match="exactly first, second, low, high"):
        await SCRIPT.run(resources.redis, **dict.fromkeys(names, "x"))
