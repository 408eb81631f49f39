"""What the tests on a real server have in common, besides the server itself."""

from tests.support.servers import own_server, template

__all__ = ["own_server", "template"]
