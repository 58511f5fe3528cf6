"""The CDK app's constructs, one file for each family of resources."""
