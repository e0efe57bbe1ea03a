"""Texts to scores.

manifest      what a model folder says about itself, and whether its files are those
onnx          graph and tokenizer: text -> windows -> rows; the only one who knows onnxruntime
windows       cutting long texts, pure
waiting_line  whose turn it is, pure
lanes         threads that can be given up
scheduler     runs on lanes for many callers
windowed      OnnxClassifier: passages -> windows -> scheduled runs -> highest scores
recognizers   personal data with check digits, pure
ensemble      model + views + recognizers + remembered scores behind the seam `Classifier`
gate          how many judgements at once, and for how long
embedded      opens all of it from a model folder
"""
