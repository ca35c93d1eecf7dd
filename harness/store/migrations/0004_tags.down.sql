{{keep_always}}
DROP TABLE pruned;
DROP TABLE tags;
