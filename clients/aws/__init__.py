"""The one door to AWS: nothing else of the product imports boto3."""
