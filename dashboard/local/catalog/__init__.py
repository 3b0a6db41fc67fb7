"""The Iceberg REST catalog of the local stack: a stand-in for development, never offered for production.

Tables of format v2 in a folder, their pointers in SQLite; no views, no OAuth, no credentials.
Source: the Iceberg REST specification, rest-catalog-open-api.yaml of github.com/apache/iceberg.
"""
