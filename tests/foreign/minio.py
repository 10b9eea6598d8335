from tests.foreign.internal import Internal

STORAGE = ("src/core/storage/minio_storage.py",)
CLIENT = "minio.api:Minio"
STEPS = "The SDK runs multipart uploads only as a whole, from the server; browsers upload the parts to presigned URLs."

INTERNALS = [
    Internal(CLIENT, "_create_multipart_upload", STEPS, STORAGE, "(self, bucket_name, object_name, headers)"),
    Internal(
        CLIENT,
        "_complete_multipart_upload",
        STEPS,
        STORAGE,
        "(self, bucket_name, object_name, upload_id, parts, ssec=None)",
    ),
    Internal(
        CLIENT,
        "_list_parts",
        "Tells a browser which parts of an upload it has sent.",
        STORAGE,
        "(self, bucket_name, object_name, upload_id, max_parts=None, part_number_marker=None, extra_headers=None, "
        "extra_query_params=None)",
    ),
    Internal(
        CLIENT,
        "_upload_part",
        "Uploads what is being written, such as an export: its size is not known before.",
        STORAGE,
        "(self, bucket_name, object_name, data, headers, upload_id, part_number)",
    ),
    Internal(CLIENT, "_abort_multipart_upload", STEPS, STORAGE, "(self, bucket_name, object_name, upload_id)"),
    Internal(
        CLIENT,
        "_list_multipart_uploads",
        "Finds uploads that were never completed.",
        STORAGE,
        "(self, bucket_name, delimiter=None, encoding_type=None, key_marker=None, max_uploads=None, prefix=None, "
        "upload_id_marker=None, extra_headers=None, extra_query_params=None)",
    ),
]
