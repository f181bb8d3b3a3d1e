'use strict';

/** All tests of the socket client in one process: the mutation test starts it a thousand times. */
require('../delivery.test.js');
require('../reconnect.test.js');
require('../lifecycle.test.js');
require('../polling.test.js');
require('../token.test.js');
require('../anyNetwork.test.js');
