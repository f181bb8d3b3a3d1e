'use strict';

/**
 * What the platform refuses, for both hosts: the base library that brought an API, and the longest texts of its dialogs.
 */
const API_VERSIONS = {
  connectSocket: '1.7.0',
  createSelectorQuery: '1.4.0',
  getAccountInfoSync: '2.2.2',
  getAppBaseInfo: '2.20.1',
  getDeviceInfo: '2.20.1',
  getNetworkType: '1.0.0',
  getStorageSync: '1.0.0',
  getSystemInfoSync: '1.0.0',
  getWindowInfo: '2.20.1',
  login: '1.0.0',
  navigateBack: '1.0.0',
  navigateTo: '1.0.0',
  nextTick: '2.2.3',
  offNetworkStatusChange: '2.9.3',
  onNetworkStatusChange: '1.1.0',
  openCustomerServiceChat: '2.19.0',
  openPrivacyContract: '2.32.3',
  pageScrollTo: '1.4.0',
  reLaunch: '1.1.0',
  redirectTo: '1.0.0',
  removeStorageSync: '1.0.0',
  request: '1.0.0',
  requestSubscribeMessage: '2.4.4',
  setClipboardData: '1.1.0',
  setNavigationBarTitle: '1.0.0',
  setStorageSync: '1.0.0',
  setTabBarItem: '1.9.0',
  showActionSheet: '1.0.0',
  showModal: '1.0.0',
  showToast: '1.0.0',
  stopPullDownRefresh: '1.0.0',
  switchTab: '1.0.0',
};

/** PATCH is none of them. */
const REQUEST_METHODS = ['OPTIONS', 'GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'TRACE', 'CONNECT'];

module.exports = { API_VERSIONS, REQUEST_METHODS, MAX_MODAL_BUTTON: 4, MAX_TOAST_WITH_ICON: 7, MAX_SHEET_ITEMS: 6, FREEZE_AFTER_MS: 5000 };
