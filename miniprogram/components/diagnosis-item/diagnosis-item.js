/** One diagnosis as a line of a list. */
'use strict';

Component({
  properties: {
    /** as `presentation/items.js` makes it */
    item: { type: Object, value: {} },
  },
  methods: {
    open() {
      wx.navigateTo({ url: `/pages/report-v2/report-v2?id=${this.data.item.id}` });
    },
  },
});
