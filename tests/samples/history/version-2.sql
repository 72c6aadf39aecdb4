-- A history of version 2 with one run, as `sqlite3 history.db .dump` wrote it: migrating keeps the run.
BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('2');
CREATE TABLE identities (
	id INTEGER NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	setting VARCHAR(64) NOT NULL, 
	tree TEXT NOT NULL, 
	series TEXT, 
	config TEXT NOT NULL, 
	toolchain TEXT NOT NULL, 
	kernel TEXT NOT NULL, 
	accel TEXT NOT NULL, 
	cpu TEXT NOT NULL, 
	qemu TEXT NOT NULL, 
	machine TEXT NOT NULL, 
	rootfs TEXT NOT NULL, 
	CONSTRAINT pk_identities PRIMARY KEY (id), 
	CONSTRAINT uq_identities_digest UNIQUE (digest)
);
INSERT INTO "identities" VALUES(1,'04c566313ae4355ffcfb361951940f85f3184ddfefb2391f36f3f2cb4d4dc833','ebfb91dfe43c22088e0302536764ba6b1eee25d04f4ec0fa399171c41de08282','c0ffee','s','conf','gcc 12','sha','tcg','max','7.2','2 vCPU','rootfs');
CREATE TABLE jobs (
	id INTEGER NOT NULL, 
	run_id VARCHAR(64) NOT NULL, 
	identity_id INTEGER, 
	ordinal INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	tree TEXT NOT NULL, 
	series TEXT, 
	variant TEXT NOT NULL, 
	side VARCHAR(16) NOT NULL, 
	verdict VARCHAR(16) NOT NULL, 
	reason TEXT NOT NULL, 
	directory TEXT NOT NULL, 
	release TEXT, 
	config TEXT, "commit" TEXT, base TEXT, 
	CONSTRAINT pk_jobs PRIMARY KEY (id), 
	CONSTRAINT fk_jobs_identity_id FOREIGN KEY(identity_id) REFERENCES identities (id), 
	CONSTRAINT fk_jobs_run_id FOREIGN KEY(run_id) REFERENCES runs (id) ON DELETE CASCADE
);
INSERT INTO "jobs" VALUES(1,'run-1',1,0,'linux-5.10/smoke.base','linux-5.10',NULL,'smoke','base','pass','','jobs/base',NULL,NULL,NULL,NULL);
INSERT INTO "jobs" VALUES(2,'run-1',1,1,'linux-5.10/smoke.patched','linux-5.10','uffd-wp','smoke','patched','pass','','jobs/patched',NULL,NULL,NULL,NULL);
CREATE TABLE outcomes (
	id INTEGER NOT NULL, 
	job_id INTEGER NOT NULL, 
	suite TEXT NOT NULL, 
	test TEXT NOT NULL, 
	status VARCHAR(16) NOT NULL, 
	earlier JSON NOT NULL, 
	reason TEXT NOT NULL, 
	seconds DOUBLE, 
	CONSTRAINT pk_outcomes PRIMARY KEY (id), 
	CONSTRAINT fk_outcomes_job_id FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE CASCADE
);
INSERT INTO "outcomes" VALUES(1,1,'uffd','promised','skip','[]','EINVAL',NULL);
INSERT INTO "outcomes" VALUES(2,1,'uffd','known','fail','[]','bell  escape [31mred[0m nul � tags <a> & ]]> ? ￾ end',NULL);
INSERT INTO "outcomes" VALUES(3,1,'uffd','loose','timeout','[]','',NULL);
INSERT INTO "outcomes" VALUES(4,1,'uffd','same','pass','[]','',0.5);
INSERT INTO "outcomes" VALUES(5,1,'uffd','worse','pass','[]','',NULL);
INSERT INTO "outcomes" VALUES(6,1,'uffd','fixed','fail','[]','',NULL);
INSERT INTO "outcomes" VALUES(7,1,'uffd','both','fail','[]','',NULL);
INSERT INTO "outcomes" VALUES(8,2,'uffd','promised','pass','[]','',1.5);
INSERT INTO "outcomes" VALUES(9,2,'uffd','known','fail','[]','bell  escape [31mred[0m nul � tags <a> & ]]> ? ￾ end',NULL);
INSERT INTO "outcomes" VALUES(10,2,'uffd','loose','pass','[]','',NULL);
INSERT INTO "outcomes" VALUES(11,2,'uffd','same','pass','[]','',0.5);
INSERT INTO "outcomes" VALUES(12,2,'uffd','worse','timeout','[]','',NULL);
INSERT INTO "outcomes" VALUES(13,2,'uffd','fixed','pass','[]','',NULL);
INSERT INTO "outcomes" VALUES(14,2,'uffd','both','fail','[]','',NULL);
CREATE TABLE runs (
	id VARCHAR(64) NOT NULL, 
	mode TEXT NOT NULL, 
	started VARCHAR(40) NOT NULL, 
	seconds DOUBLE NOT NULL, 
	verdict VARCHAR(16) NOT NULL, 
	exit_code INTEGER NOT NULL, 
	directory TEXT NOT NULL, 
	missing JSON NOT NULL, 
	notes JSON NOT NULL, 
	CONSTRAINT pk_runs PRIMARY KEY (id)
);
INSERT INTO "runs" VALUES('run-1','validate','2026-11-01T04:00:00+00:00',77.7,'fail',1,'/r','[]','["TCG: KVM did not bring up a guest"]');
CREATE TABLE series (
	id INTEGER NOT NULL, 
	run_id VARCHAR(64) NOT NULL, 
	ordinal INTEGER NOT NULL, 
	tree TEXT NOT NULL, 
	series TEXT NOT NULL, 
	variant TEXT NOT NULL, 
	verdict VARCHAR(16) NOT NULL, 
	reason TEXT NOT NULL, 
	CONSTRAINT pk_series PRIMARY KEY (id), 
	CONSTRAINT fk_series_run_id FOREIGN KEY(run_id) REFERENCES runs (id) ON DELETE CASCADE
);
INSERT INTO "series" VALUES(1,'run-1',0,'linux-5.10','uffd-wp','smoke','fail','BUG: Bad page map in <zap> during worse (console line 20) (and 1 more)');
CREATE TABLE splats (
	id INTEGER NOT NULL, 
	job_id INTEGER NOT NULL, 
	kind TEXT NOT NULL, 
	title TEXT NOT NULL, 
	first_line INTEGER NOT NULL, 
	last_line INTEGER NOT NULL, 
	text TEXT NOT NULL, 
	fatal BOOLEAN NOT NULL, 
	test TEXT, 
	allowed_by TEXT, 
	console TEXT, 
	CONSTRAINT pk_splats PRIMARY KEY (id), 
	CONSTRAINT fk_splats_job_id FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE CASCADE
);
INSERT INTO "splats" VALUES(1,1,'warning','WARNING in old',3,9,'old',0,'same',NULL,NULL);
INSERT INTO "splats" VALUES(2,2,'warning','WARNING in old',3,9,'old',0,'same',NULL,NULL);
INSERT INTO "splats" VALUES(3,2,'mm','BUG: Bad page map in <zap>',20,40,'bell  escape [31mred[0m nul � tags <a> & ]]> ? ￾ end',0,'worse',NULL,NULL);
INSERT INTO "splats" VALUES(4,2,'mm','BUG: Bad page map in <zap>',50,60,'bell  escape [31mred[0m nul � tags <a> & ]]> ? ￾ end',0,'worse',NULL,NULL);
INSERT INTO "splats" VALUES(5,2,'oom','Out of memory',70,71,'oom',0,'same','expected (https://example.org)',NULL);
CREATE TABLE stages (
	id INTEGER NOT NULL, 
	job_id INTEGER NOT NULL, 
	ordinal INTEGER NOT NULL, 
	stage VARCHAR(16) NOT NULL, 
	verdict VARCHAR(16) NOT NULL, 
	seconds DOUBLE NOT NULL, 
	message TEXT NOT NULL, 
	log TEXT, 
	reused BOOLEAN NOT NULL, 
	CONSTRAINT pk_stages PRIMARY KEY (id), 
	CONSTRAINT fk_stages_job_id FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE CASCADE
);
INSERT INTO "stages" VALUES(1,1,0,'build','pass',12.5,'reused',NULL,1);
INSERT INTO "stages" VALUES(2,1,1,'boot','pass',4.25,'',NULL,0);
INSERT INTO "stages" VALUES(3,1,2,'suite','pass',30.0,'','suite.log',0);
INSERT INTO "stages" VALUES(4,2,0,'build','pass',12.5,'reused',NULL,1);
INSERT INTO "stages" VALUES(5,2,1,'boot','pass',4.25,'',NULL,0);
INSERT INTO "stages" VALUES(6,2,2,'suite','pass',30.0,'','suite.log',0);
CREATE TABLE suites (
	id INTEGER NOT NULL, 
	job_id INTEGER NOT NULL, 
	ordinal INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	seconds DOUBLE NOT NULL, 
	problems JSON NOT NULL, 
	CONSTRAINT pk_suites PRIMARY KEY (id), 
	CONSTRAINT fk_suites_job_id FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE CASCADE
);
INSERT INTO "suites" VALUES(1,1,0,'uffd',30.0,'[]');
INSERT INTO "suites" VALUES(2,2,0,'uffd',30.0,'[]');
CREATE INDEX ix_identities_setting ON identities (setting);
CREATE INDEX ix_runs_started ON runs (started);
CREATE INDEX ix_jobs_identity_id ON jobs (identity_id);
CREATE INDEX ix_jobs_name_run_id ON jobs (name, run_id);
CREATE INDEX ix_jobs_run_id ON jobs (run_id);
CREATE INDEX ix_series_run_id ON series (run_id);
CREATE INDEX ix_outcomes_job_id ON outcomes (job_id);
CREATE INDEX ix_outcomes_suite_test ON outcomes (suite, test);
CREATE INDEX ix_splats_job_id ON splats (job_id);
CREATE INDEX ix_splats_title ON splats (title);
CREATE INDEX ix_stages_job_id ON stages (job_id);
CREATE INDEX ix_suites_job_id ON suites (job_id);
COMMIT;
