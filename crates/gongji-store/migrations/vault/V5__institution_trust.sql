-- What an institution signs with, from where it may ask, and what it has signed.

-- Public keys; a message names one by key_id, before anybody knows whose it is: all of them stand in part 0.
create table institution_public_key (
    part integer not null,
    key_id text not null,
    institution text not null,
    profile text not null,
    pem text not null,
    made_ms integer not null,
    expires_ms integer,
    revoked_ms integer,
    primary key (part, key_id)
) without rowid, strict;
create index institution_public_key_of on institution_public_key (part, institution);

-- Nothing here: from anywhere, without a certificate. Lists are separated by spaces.
create table institution_access (
    part integer not null,
    institution text not null,
    addresses text not null,
    certificates text not null,
    primary key (part, institution)
) without rowid, strict;

-- Nonces of signatures that are still timely, of every signed request.
create table institution_nonce (
    part integer not null,
    key_id text not null,
    nonce text not null,
    ends_ms integer not null,
    primary key (part, key_id, nonce)
) without rowid, strict;
create index institution_nonce_ends on institution_nonce (ends_ms);

-- Signed requests that may change something, as they were signed: what was signed, the signature and the body.
create table signed_request (
    part integer not null,
    request_id integer not null,
    institution text not null,
    key_id text not null,
    nonce text not null,
    idempotency_key text,
    received_ms integer not null,
    sealed_text blob not null,
    primary key (part, request_id)
) without rowid, strict;
create index signed_request_by_nonce on signed_request (part, institution, nonce);
create index signed_request_by_idempotency_key on signed_request (part, institution, idempotency_key);
