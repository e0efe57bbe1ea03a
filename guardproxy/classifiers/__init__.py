"""Texts to scores.

manifest_form what a model folder may say about itself
combination   several models together: who judges what, pure
labels        a foreign model's labels and logits -> our categories, pure
manifest      a model folder, read, its files held against what it says
onnx          graph and tokenizer: text -> windows -> rows; the only one who knows onnxruntime
windows       cutting long texts, pure
waiting_line  whose turn it is, pure
lanes         a waiting line and threads that take from it, and can be given up
scheduler     runs on lanes for many callers
cache         scores already given, texts only as digests
windowed      OnnxClassifier: passages -> windows -> scheduled runs -> highest scores
recognizers   personal data with check digits, pure
combined      several models behind the seam of one
ensemble      model + readings + recognizers + remembered scores behind the seam `Classifier`
observer      what whoever counts is told
gate          how many judgements at once, and for how long
check         tries and times what a model folder holds
embedded      opens all of it from a model folder
"""
