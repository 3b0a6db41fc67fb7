"""The local stack's key management."""

LOCAL_KMS_TYPE = "local-kms"
LOCAL_KMS_KEY_ID = "sales-trends-local"
