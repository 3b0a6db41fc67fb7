"""Writing by a contract: the registry's client with every rule that it can run, proven to run."""
