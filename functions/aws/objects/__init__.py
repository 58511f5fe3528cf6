"""The S3 bucket: staged pages, published snapshots, lists of bulk runs."""
