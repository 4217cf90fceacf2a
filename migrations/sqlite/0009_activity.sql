-- The order of lists: the id of the conversation's newest message. The PostgreSQL file of the same name
-- says more.
alter table conversations add column activity integer;
