"""Which addresses may be given a key: https anywhere, plain http on this machine alone."""

from ipaddress import ip_address
from urllib.parse import urlsplit

_LARGEST_PORT = 65_535


def on_this_machine(host: str) -> bool:
    """Whether a host is a loopback address; a name other than localhost is not looked up."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def is_encrypted(address: str) -> bool:
    """Whether it is https, in whatever case that is written: only then is there a certificate, and it is checked."""
    return urlsplit(address).scheme == "https"


def silence_hint(host: str) -> str:
    """What to do when a system on this host does not answer."""
    if on_this_machine(host):
        return "`sales-trends status` shows what runs; `sales-trends up` starts it."
    return "Check its address and the network, then run the command again."


def address_fault(address: str, *, gets_key: bool) -> str:
    """What is wrong with the address of a service; empty when nothing is. The address itself is never repeated."""
    try:
        url = urlsplit(address)
        host, port = url.hostname, url.port
    except ValueError:
        return "is not an address"
    if url.scheme not in ("http", "https") or not host or port == 0 or any(sign.isspace() for sign in address):
        return "is not an address such as https://service.example.com"
    if url.username is not None or url.password is not None or url.query or url.fragment:
        return "must be without user, password and parameters"
    if url.scheme == "http" and gets_key and not on_this_machine(host):
        return "is plain http, which would send a key unencrypted; use https (http is for this machine alone)"
    return ""


def webhook_fault(address: str) -> str:
    """The same of an address that events are posted to, which is a key itself and may have parameters."""
    try:
        url = urlsplit(address)
    except ValueError:
        return "is not an address"
    if url.fragment:
        return "must be without a fragment"
    return address_fault(url._replace(query="").geturl(), gets_key=True)


def bootstrap_hosts(bootstrap: str) -> list[str]:
    """The hosts of Kafka's bootstrap servers; raises ValueError when it is not a list of host:port."""
    hosts = []
    for server in bootstrap.split(","):
        host, colon, port = server.strip().rpartition(":")
        wrong = not colon or not host or "/" in host or "@" in host or any(sign.isspace() for sign in host)
        if wrong or not port.isdecimal() or not 0 < int(port) <= _LARGEST_PORT:
            raise ValueError("is not host:port, or several of them with commas between")
        hosts.append(host.strip("[]"))
    return hosts
