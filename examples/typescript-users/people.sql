create table people (
  id integer primary key,
  name text not null unique,
  role text not null,
  hash text not null,
  password_set integer not null
);
-- The password is "correct horse battery staple": npx tollgate password hash
insert into people values (7, 'ann', 'admin', '$pbkdf2-sha256$i=600000,l=32$hMDT3YfH0g9W9SmbyOdTFQ$uZs8lQrhmnTGAhgKRiB6+wvMRIBc6kgC+INYNaA+0IQ', 1764547200000);
