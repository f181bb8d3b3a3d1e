/** One diagnosis in a list. */
'use strict';

Component({
  properties: {
    /** as returned by `diagnosisItem` in presentation/diagnosisItem.js */
    item: { type: Object, value: {} },
  },
  methods: {
    open() {
      wx.navigateTo({ url: `/pages/report-v2/report-v2?id=${this.data.item.id}` });
    },
  },
});
