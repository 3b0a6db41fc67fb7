"""Stand-ins for hosted services, served over real HTTP, which behave as the published APIs say."""
