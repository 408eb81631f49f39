"""What the tests share: applications, databases, servers, proxies."""
