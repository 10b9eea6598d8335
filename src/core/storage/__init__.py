"""Contents of files in S3.

`FileStorage` (`port.py`) is the interface that services use, as `resources.storage`; `MinioStorage` implements it. The
MinIO SDK blocks, so `MinioClient` runs its calls in threads; it is imported at the first use. `presign.py` signs upload
URLs that accept an exact size.
"""
