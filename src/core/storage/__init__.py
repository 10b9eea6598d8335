"""File contents in S3: the port `FileStorage`, its MinIO adapter, and presigned URLs."""
