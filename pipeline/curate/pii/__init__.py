"""What stands in the place of personal data, in a row's contents and in its JSON.

`redact` goes through the rows, `operators` says what is put in place, `canonical` which spellings are one value, and
`names` finds people and places with a model. What has a form is found by the engine (`find_entities`).
"""
