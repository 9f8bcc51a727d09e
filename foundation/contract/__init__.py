"""What one side writes and the other reads. Nothing here imports another room of the suite.

What is in a trace:

* ``conventions``: names of the suite's tracks, counters and facts
* ``packets``: reading, writing and making the packets of a trace file
* ``threads``: which kernel thread plays which role in reclaim
* ``needs``, ``metric``: what a metric is, and what must be recorded for it

When a trace may be judged:

* ``losses``: what a recording can lose, the counters of each loss and their descriptions
* ``cpu_time``: the check of CPU time by context switches against schedstat

What is in a results folder:

* ``records``: the types of its JSON files, for the writer and for the readers
* ``results``: the reader of a whole folder

What a device is to the rest of the suite:

* ``device``: the protocols of a device and of the lane that boots it
* ``variant``: a named kernel under test, as the user gives it
* ``arch``, ``batch``: its architecture; several commands in one round trip
"""
