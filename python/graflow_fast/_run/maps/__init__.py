"""Maps: a task run once for every item. For the scheduler a map is one attempt; its items are known only here.

`maps` starts and pumps them, `map_run` is one of them under way: it reads `source` in batches of a size that
`chunk_size` learns, has a place run them as chunks (`batches`), and puts their outcomes in item order (`results`);
`policy` judges.
"""
