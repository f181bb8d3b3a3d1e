'use strict';

/** All tests of the socket client in one process, which the mutation test starts for each mutant. */
require('../client/delivery.test.js');
require('../client/reconnect.test.js');
require('../client/lifecycle.test.js');
require('../client/polling.test.js');
require('../client/token.test.js');
require('../client/networkFaults.test.js');
