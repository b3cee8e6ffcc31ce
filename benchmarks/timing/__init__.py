"""Speed, measured with pytest-benchmark: `pytest benchmarks/timing --benchmark-only`.

Every case is named KIND[what-side-device], grouped by what is worth ranking (`pytest-benchmark compare FILE
--group-by=group`), and timed beside a reference kernel, so that files of two machines can be compared:

    pytest benchmarks/timing --benchmark-only --benchmark-json=new.json
    python -m benchmarks.timing compare results/timing/baseline.json new.json --tolerance 1.5
    python -m benchmarks.timing table new.json --out DIR

On a busy machine, --benchmark-timer=time.process_time counts the seconds of the processor, for the reference kernel
too (on the CPU alone: a GPU works on without the processor).
"""
