"""IP addresses as the identity of clients."""

from ipaddress import AddressValueError, IPv6Address, IPv6Network


def network_of(address: str) -> str:
    """What limits per address count: the address, or the /64 network of an IPv6 address, which is one client's."""
    if ":" not in address:
        return address
    try:
        parsed = IPv6Address(address.partition("%")[0])
    except AddressValueError:
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(IPv6Network((parsed, 64), strict=False))
