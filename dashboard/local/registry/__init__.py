"""The schema registry of the local stack: a stand-in for development, never offered for production.

It keeps data contracts (metadata and rule sets) exactly as sent, which no registry that can be installed from a
package index does, and the keys that encrypt fields, as clients encrypt them (the DEK registry). Only Avro is judged;
JSON Schema and Protobuf are refused.
Source: the REST API of Confluent Schema Registry, read at github.com/confluentinc/schema-registry @794611bd.
"""
