"""The pipeline that makes a model folder for guardproxy. The package never imports it."""
