--
-- Counters: dogpile_increment().
--
SELECT dogpile_increment('reports', 'c');
SELECT dogpile_increment('reports', 'c', 9), dogpile_increment('reports', 'c', -20);

-- Others see it at once, and ROLLBACK undoes nothing.
BEGIN;
SELECT dogpile_increment('reports', 'c', 100);
ROLLBACK;
SELECT dogpile_increment('reports', 'c', 0);

-- It is not the value of that key, nor is it invalidated with it.
SELECT dogpile_exists('reports', 'c'), dogpile_get('reports', 'c');
SELECT dogpile_set('reports', 'c', 'a value'::text);
SELECT dogpile_invalidate('reports', 'c');
SELECT dogpile_increment('reports', 'c', 0);

-- It is gone when it has not changed for its expiration time.
SELECT dogpile_increment('reports', 'short', 7, '300ms'),
       dogpile_increment('reports', 'short', 7, '300ms');
SELECT pg_sleep(0.4);
SELECT dogpile_increment('reports', 'short', 7, '300ms');

-- Told apart as values are: by role, unless the region is shared by all.
CREATE ROLE counting;
SELECT dogpile_increment('shared_all', 'c');
SET ROLE counting;
SELECT dogpile_increment('reports', 'c', 0), dogpile_increment('shared_all', 'c');
RESET ROLE;
DROP ROLE counting;

-- What is refused.
SELECT dogpile_increment('nosuch', 'c');
SELECT dogpile_increment(NULL, 'c');
SELECT dogpile_increment('reports', NULL);
SELECT dogpile_increment('reports', 'c', NULL);
SELECT dogpile_increment('reports', 'c', expiration_time => '-2 s');
SELECT dogpile_increment('reports', repeat('c', 1024));
SELECT dogpile_increment('reports', repeat('c', 1016));
SELECT dogpile_increment('reports', 'large', 9223372036854775807);
SELECT dogpile_increment('reports', 'large');
SELECT dogpile_increment('reports', 'large', 0);

-- In a region that keeps nothing.
SELECT dogpile_increment('nothing', 'c') AS none;
