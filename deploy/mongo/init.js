// Run by mongosh at every `up`, each step only where it is missing: the replica set, then the service's user. A changed
// mongo_password is taken over; a changed mongo_root_password has to be changed in MongoDB first.

const fs = require('fs');
const secret = (name) => fs.readFileSync(`/run/secrets/${name}`, 'utf8').trim();
const members = ['mongo-1:27017', 'mongo-2:27017', 'mongo-3:27017'];
const root = `mongodb://root:${secret('mongo_root_password')}`;
const isCode = (error, code) => error.code === code || error.codeName === code;

function initiate() {
  const admin = new Mongo(`${root}@${members[0]}/?authSource=admin&directConnection=true`).getDB('admin');
  try {
    admin.runCommand({ replSetGetStatus: 1 });
    print('the replica set is there');
  } catch (error) {
    if (!isCode(error, 94) && !isCode(error, 'NotYetInitialized')) throw error;
    admin.runCommand({
      replSetInitiate: { _id: 'rs0', members: members.map((host, _id) => ({ _id, host })) },
    });
    print('the replica set is made');
  }
}

// A majority must have voted, and written.
function connect() {
  const deadline = Date.now() + 60000;
  for (;;) {
    try {
      const set = new Mongo(`${root}@${members}/?replicaSet=rs0&authSource=admin&serverSelectionTimeoutMS=5000`);
      const admin = set.getDB('admin');
      if (admin.runCommand({ hello: 1 }).isWritablePrimary) return admin;
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
    if (Date.now() > deadline) throw new Error('no primary within a minute');
    sleep(500);
  }
}

function ensureUser(admin) {
  const user = {
    pwd: secret('mongo_password'),
    roles: ['sealgate', 'sealgate_keys'].map((db) => ({ role: 'readWrite', db })),
    writeConcern: { w: 'majority', wtimeout: 30000 },
  };
  const isThere = admin.runCommand({ usersInfo: 'sealgate' }).users.length > 0;
  admin.runCommand({ [isThere ? 'updateUser' : 'createUser']: 'sealgate', ...user });
  print(isThere ? "the service's user is up to date" : "the service's user is made");
}

initiate();
ensureUser(connect());
